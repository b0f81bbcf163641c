"""What the suite itself costs: measured part by part, kept as data, and shown beside what was aimed at."""

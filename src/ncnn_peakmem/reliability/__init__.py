"""How far this suite can be trusted on this machine: its controls, its noise, its resolution, its cost."""

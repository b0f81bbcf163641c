"""Mistakes in what stands at the top of a catalog."""

from __future__ import annotations

from tests.catalog.mistaken import Write, changed, complaints, each

MISTAKES = [
    ("schema: 1\n", "schema: 2\n", "schema: found 2; allowed: 1"),
    ("schema: 1\n", "schema: true\n", "schema: found true; allowed: 1"),
    ("schema: 1\n", "", "schema: is missing"),
    (
        "schema: 1\n",
        "schema: 1\nnetwork: {}  #!\n",
        (
            "network: 'network' is no key (did you mean 'networks'?); allowed: axes, default_profile, loops, "
            "networks, profiles, reference_release, schema, step_timeout_seconds, tolerances"
        ),
    ),
    (
        "default_profile: small",
        "default_profile: smal",
        "default_profile: 'smal' is no profile (did you mean 'small'?); allowed: small",
    ),
    ("1.0.20260526", "1.0", "reference_release: found 1.0; allowed: text"),
    (
        "1.0.20260526",
        "last year",
        "reference_release: found 'last year'; allowed: a version of ncnn such as 1.0.20260526",
    ),
    ("seconds: 120", "seconds: 0", "step_timeout_seconds: found 0; allowed: more than 0"),
    ("seconds: 120", "seconds: 1e999", "step_timeout_seconds: found inf; allowed: a finite number"),
    ("seconds: 120", "seconds: 2 min", "step_timeout_seconds: found '2 min'; allowed: a number"),
    ("minimum: 12", "minimum: 0", "loops.minimum: found 0; allowed: 1 or more"),
    ("minimum: 12", "minimum: 1.5", "loops.minimum: found 1.5; allowed: a whole number"),
    ("minimum: 12", "minimum: ", "loops.minimum: found nothing; allowed: a whole number"),
    ("factor: 2", "factor: 0.5", "loops.settle_factor: found 0.5; allowed: 1 or more"),
    ("maximum: 400", "maximum: 11", "loops: found minimum 12; allowed: up to the maximum, 11"),
]


@each(MISTAKES)
def test_a_mistake_is_told_with_line_key_and_what_is_allowed(
    write: Write, old: str, new: str, complaint: str
) -> None:
    path, line = changed(write, old, new)
    assert complaints(path) == [f"{path}:{line}: {complaint}"]

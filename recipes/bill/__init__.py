"""What is inside a wheel and where it came from: provenance and SBOM. Imports wheelhouse only."""

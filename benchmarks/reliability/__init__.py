"""Run the suite with its full counts of kills, mutations and long runs, and write what held."""

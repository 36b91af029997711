"""Records and persons → observations → spells → moves → cohort and contacts."""

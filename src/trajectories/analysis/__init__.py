"""What is read in the stays and the services: portrait, services, comparison, models, typology, quality, imputation."""

"""Models with covariates: Cox, Fine–Gray, discrete-time hazard, mixture cure."""

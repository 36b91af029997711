"""Models with covariates: Cox, Fine–Gray, discrete-time hazard, accelerated failure time, mixture cure."""

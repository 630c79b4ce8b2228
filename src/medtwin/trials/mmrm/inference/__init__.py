"""How sure an estimate is: a covariance of the coefficients and degrees of freedom; one file a method."""

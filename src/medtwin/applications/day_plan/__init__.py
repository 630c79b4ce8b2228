"""The day of somebody who injects no insulin: meals by the response that is expected, and what changes it."""

"""Cases: what people do about a finding, from its opening to its outcome, with deadlines and linked events."""

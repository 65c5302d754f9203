"""Memory of a camera's service, and what of it a bundle may take: one number for the unit and for the agent.

A bundle that passes its self-test and whose camera is then killed for memory is on trial for nothing. So the
self-test gets what the unit of cameras gives, less what watching takes besides. A test holds that the units
say the same.
"""

CAMERA_MB = 400
"""`MemoryMax=` of reelflow-watch@.service, in MiB."""
WATCHING_MB = 80
"""What watching takes besides. With a bundle that just passes, watching 1080p takes 300 MB in all; the rest
is spare, for larger pictures, recordings and pages."""
SELF_TEST_MB = CAMERA_MB - WATCHING_MB
AGENT_MB = 180
"""What the agent takes besides the self-test; both are in reelflow-update.service."""

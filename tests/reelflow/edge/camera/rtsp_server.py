"""A real RTSP server, GStreamer's, which plays a file of H.264 as a camera sends it.

apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
video, port = sys.argv[1:]
server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1")
server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory.new()
payload = "rtph264pay name=pay0 pt=96 config-interval=1"
factory.set_launch(f"( filesrc location={video} ! qtdemux ! h264parse ! {payload} )")
factory.set_shared(False)
server.get_mount_points().add_factory("/live", factory)
auth = GstRtspServer.RTSPAuth.new()
token = GstRtspServer.RTSPToken.new()
token.set_string("media.factory.role", "viewer")
auth.add_basic(GstRtspServer.RTSPAuth.make_basic("admin", "s3cret"), token)
permissions = GstRtspServer.RTSPPermissions.new()
permissions.add_permission_for_role("viewer", "media.factory.access", True)
permissions.add_permission_for_role("viewer", "media.factory.construct", True)
factory.set_permissions(permissions)
server.set_auth(auth)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


@contextmanager
def rtsp_server(video: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve a video at an address with user and password; skips the test where GStreamer is not installed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [SYSTEM_PYTHON, "-c", PROGRAM, str(video), str(port)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            if process.stdout.readline() != "ready\n":
                pytest.skip("GStreamer's RTSP server is not installed")
            yield f"rtsp://admin:s3cret@127.0.0.1:{port}/live", process
        finally:
            process.kill()

"""The formats that a clip may have: FFmpeg's demuxers, each with who writes it.

A format is here if people who collect clips have it, if the wheel of PyAV decodes it, and if the clip is all
in one file. FFmpeg knows some 370 others, which are left out because every parser is one more that an
untrusted file can attack:

- Playlists and descriptions, which name other files or hosts: `concat`, `hls`, `webm_dash_manifest`, `sdp`,
  `rtsp`, `rtp`, `sap`, `image2` (a pattern of file names).
- Devices and filters, which are no files: `lavfi`, `v4l2`, `x11grab`, `fbdev`, `kmsgrab`, `alsa`, `oss`.
- Single pictures: `png_pipe`, `webp_pipe`, `bmp_pipe`, `tiff_pipe`, `ico` and their like. `jpeg_pipe` is the
  exception, see below. FFmpeg shows only the first picture of an animated WebP.
- Raw frames whose size and rate no header tells: `rawvideo`, `bitpacked`, `v210`, `v210x`.
- Bare streams that people store in a container: `h261`, `h263`, `dirac`, `dnxhd`, `cavsvideo`, `avs2`,
  `avs3`, `evc`, `apv`, `mjpeg_2000`.
- Cameras of cinema, laboratory and astronomy, whose frames need developing: `r3d`, `cine`, `mlv`, `ser`.
- Studio and receiver formats that players do not open: `gxf`, `lxf`, `pva`, `ty`, `nuv`, `nsv`, `ivr`, `kux`.
  Convert them with `ffmpeg -i IN OUT.mp4`.
- Cutscenes of games, text art, programs (`swf`), sound and subtitles: not clips of a camera.
"""

from types import MappingProxyType

FORMATS = MappingProxyType(
    {
        # Files of phones, cameras and editors
        "mov": "QuickTime: iPhones, cameras",
        "mp4": "MP4: phones, action cameras, nearly all exports",
        "3gp": "3GP: older phones",
        "matroska": "Matroska: OBS, HandBrake, recorders",
        "webm": "WebM: browsers, YouTube",
        "avi": "AVI: older cameras, OpenCV's VideoWriter, data sets such as UCF101",
        "asf": "WMV and ASF: Windows, older camera software",
        "flv": "FLV: web archives, RTMP recorders",
        "live_flv": "FLV as a server stores it while it arrives",
        "ogg": "Theora: Wikimedia, older Linux tools",
        "rm": "RealMedia: old web archives",
        "gif": "animations of the web",
        "apng": "animations of the web",
        "dv": "DV: camcorders with tape",
        "mxf": "MXF: broadcast cameras, XDCAM and P2",
        "wtv": "Windows Media Center: television",
        "nut": "NUT: FFmpeg's own, which tools use between two steps",
        # Streams as a camera or a receiver sends them
        "mpegts": "MPEG-TS: IP cameras, AVCHD, HLS segments, television",
        "mpeg": "MPEG-PS: DVDs, Hikvision recorders",
        "mpegvideo": "MPEG-1 and MPEG-2 without a container",
        "m4v": "MPEG-4 without a container",
        "h264": "H.264 without a container: Raspberry Pi's raspivid and rpicam-vid",
        "hevc": "H.265 without a container: recorders of IP cameras",
        "vvc": "H.266 without a container: encoders that are tried out",
        "vc1": "VC-1 without a container: Blu-ray tools",
        "av1": "AV1 without a container, Annex B: encoders",
        "obu": "AV1 without a container, low overhead: encoders",
        "ivf": "VP8, VP9, AV1 as libvpx and libaom write them",
        "yuv4mpegpipe": "Y4M: uncompressed test sequences of codecs",
        # JPEG after JPEG
        "mjpeg": "MJPEG without a container, as FFmpeg writes it",
        "jpeg_pipe": "what FFmpeg takes most MJPEG for: rpicam-vid, webcams; a single picture is refused",
        "mpjpeg": "MJPEG with HTTP's boundaries: streams of IP cameras and ESP32-CAM, saved by curl",
        # Recorders and cameras of surveillance
        "dhav": "Dahua's .dav, also of Amcrest, Lorex and IMOU",
        "hxvs": "HXVS and HXVF: inexpensive IP cameras' .264 files",
        "ifv": "IFV: recorders of surveillance cameras",
        "luodat": "DAT: recorders of surveillance cameras",
        "mxg": "MxPEG: Mobotix cameras",
        "iv8": "IndigoVision 8000",
    }
)

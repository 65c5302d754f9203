"""Writes the golden video of the wheel: `python -m tests.golden_video`."""

import av

from reelflow.edge.golden_video import FPS, HEIGHT, VIDEO, WIDTH, golden_frames


def main() -> None:
    """Encode the frames with B-frames, nearly without loss."""
    with av.open(str(VIDEO), "w") as container:
        stream = container.add_stream(
            "libx264", rate=FPS, options={"crf": "8", "bf": "2", "preset": "veryslow"}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in golden_frames():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()

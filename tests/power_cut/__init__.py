"""Every state that a power cut may leave of a folder: recorded by strace, after ALICE (Pillai et al., OSDI 2014)."""

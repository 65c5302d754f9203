"""What a power cut may leave of a folder, from a record by strace: after ALICE (Pillai et al., OSDI 2014)."""

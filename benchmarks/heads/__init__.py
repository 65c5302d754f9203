"""Recurrent heads on a device: how large they must be, in which form, and against what a newcomer gets."""

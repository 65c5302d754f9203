"""Clips that reelflow draws itself."""

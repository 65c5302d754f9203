"""Learners train a head: by epochs, or in closed form."""

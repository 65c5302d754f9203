"""What trains a head: by epochs, or in closed form."""

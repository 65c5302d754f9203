"""Update channels: signed by The Update Framework, in a folder or an S3 prefix; who gets which bundle."""

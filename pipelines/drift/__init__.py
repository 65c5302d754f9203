"""Whether devices still see what their classifier was tested on."""

"""Messages leave the station in files on a USB stick; receipts on the stick confirm them."""

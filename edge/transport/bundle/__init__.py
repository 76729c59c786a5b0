"""Transport of messages in files on a USB stick; receipts on the stick confirm their delivery."""

"""Life after the first file, on many photographs and devices. No device imports what is in here."""

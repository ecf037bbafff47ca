"""What several file formats are stored in: mapped files, blocks of numbers, zips, nested values."""

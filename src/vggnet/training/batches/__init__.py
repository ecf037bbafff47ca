"""What is trained on: pictures, decoded, cropped, coloured, mixed, and handed to the device."""

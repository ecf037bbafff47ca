"""What every claim's script shares: claims as data, runs side by side, their results, the page."""

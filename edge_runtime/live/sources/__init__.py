"""Where the frames of a live run come from: cameras, streams, videos, a watched folder."""

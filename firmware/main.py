"""Starts the application on whatever board this image was built for."""

import app
import board

app.start(board.Board())

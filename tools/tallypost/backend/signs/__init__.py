"""Signs for the poles: what is counted here, that there is no camera, and the code to the page."""

"""Our inference service beside Flask with gunicorn (the replaced recipe's stack) and mosec."""

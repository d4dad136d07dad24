"""The app for a WSGI server: `gunicorn wsgi:app`, with the settings of gunicorn.conf.py."""

from semantest_server import create_app

app = create_app()

"""What `gunicorn wsgi:app` reads by itself when it is started in this folder: the settings of the server."""

from semantest_server.server import settings_for_gunicorn

globals().update(settings_for_gunicorn())

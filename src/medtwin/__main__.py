"""``python -m medtwin``: the same as the installed command."""

from medtwin.cli.main import app_entry

if __name__ == "__main__":
    app_entry()

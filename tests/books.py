"""A ledger of its own for a test: SQLite as the migrations make it, and a keyring."""

import tempfile
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy.orm import Session, sessionmaker

from notifier import db, migrations, sealing

KEY = Fernet.generate_key().decode()


@cache
def _template() -> bytes:
    """An empty, migrated database: made once a run, because migrations take their time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "template.db")
        engine = db.connect(f"sqlite:///{path}")
        migrations.upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return path.read_bytes()


def use_keys() -> None:
    """Keys of the test's own, so that sealing asks no database for any."""
    sealing.use(sealing.Keyring((KEY,), lambda: b"k" * 32))


def books(folder: Path) -> sessionmaker[Session]:
    """Sessions on a new, empty database in `folder`."""
    use_keys()
    path = folder / "books.db"
    path.write_bytes(_template())
    return db.sessions(db.connect(f"sqlite:///{path}"))


PHARMACY = """
[site.newyork]
name = "Pharmko New York"
brand = "Pharmko"
timezone = "America/New_York"
sms_from = "+12125550199"
voice_from = "+12125550199"
phone = "+18005550100"
languages = ["en", "es"]

[staff.cora]
name = "Cora Coordinator"
roles = ["coordinator"]
phone = "+12125550015"

[[rota]]
site = "*"
role = "coordinator"
staff = "cora"
"""

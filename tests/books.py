"""A ledger of its own for a test: SQLite with every table, and a keyring."""

from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy.orm import Session, sessionmaker

from notifier import db, sealing


def books(folder: Path) -> sessionmaker[Session]:
    """Sessions on a new, empty database in `folder`."""
    engine = db.connect(f"sqlite:///{folder / 'books.db'}")
    db.Base.metadata.create_all(engine)
    sealing.use(sealing.Keyring((Fernet.generate_key().decode(),), lambda: b"k" * 32))
    return db.sessions(engine)


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

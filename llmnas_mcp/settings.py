"""Where things live: the environment LLMNAS_* and its defaults."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def user_folder() -> Path:
    """The folder that holds what the laboratory remembers when nothing else is said."""
    return Path(platformdirs.user_data_dir("llmnas", appauthor=False))


class Settings(BaseSettings):
    """Settings read from the environment: LLMNAS_STORE (SQLAlchemy URL) and LLMNAS_DATA (folder of imported tables)."""

    model_config = SettingsConfigDict(env_prefix="LLMNAS_", env_ignore_empty=True)

    store: str = Field(default_factory=lambda: f"sqlite:///{user_folder() / 'llmnas.db'}")
    data: Path = Field(default_factory=lambda: user_folder() / "tables")

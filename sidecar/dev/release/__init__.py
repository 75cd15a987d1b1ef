"""Builds a release: notices, the list of components, npm packages, versions. In no wheel."""

"""What a release needs: notices, the list of components, npm packages, versions. In no wheel."""

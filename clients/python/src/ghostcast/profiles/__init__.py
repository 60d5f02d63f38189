"""App profiles that come with the package; `AppProfile.builtin` reads them."""

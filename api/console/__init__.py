"""The officers' console (NiceGUI): one page a module, mounted by `install.install_console`."""

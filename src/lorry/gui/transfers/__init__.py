"""The transfers panel: the uploads of this computer, what each is doing, and the commands for one or all."""

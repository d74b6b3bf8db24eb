"""Lorry hauls LoRA fine-tuning datasets from a desktop into a Supabase project."""

__version__ = "0.1.0"

//! Fuzz targets as plain functions, with a smoke run on stable.

"""What results depend on: parameters, inputs, code and libraries."""

"""Fine-tuning studies: methods at matched budgets, selected on development sets, as cells that can be resumed."""

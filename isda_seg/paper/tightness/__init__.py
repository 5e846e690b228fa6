"""How tight the bound is: the closed form beside the mean loss of explicit draws, during training and after."""

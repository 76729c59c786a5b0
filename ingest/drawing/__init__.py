"""Drawing of pictures from stations' media in processes of limited memory and time, each drawing once."""

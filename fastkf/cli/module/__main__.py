from fastkf.cli import main

main()
